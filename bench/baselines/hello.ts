/** The least that a Fastify service can do: what any answer over HTTP costs on this machine. */
import fastify from 'fastify';
import { required } from './environment';

const app = fastify();
app.get('/', () => ({ hello: 'world' }));
void app.listen({ host: '127.0.0.1', port: Number(required('PORT')) });
