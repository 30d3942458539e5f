import { setTimeout as delay } from 'node:timers/promises';
import type { Fault } from './fault';
import { ready } from './stage';

/** Longer than the `wait_timeout` of the writer's sessions: MySQL has ended them when the service goes on. */
const LONG_STOP_MS = 9000;

/** What is done to the processes of the services. */
export const SERVICE_FAULTS = {
  'kill-service': {
    resource: 'services',
    hinders: { commands: 4000, reads: 4000 },
    about: 'kill -9 of a service process, started again at once',
    async inject({ services }, random) {
      const service = random.pick(services);
      await service.kill();
      await delay(random.int(0, 300));
      service.start();
      return `service ${service.index}`;
    },
  },
  'stop-service': {
    resource: 'services',
    hinders: { commands: 2000, reads: 2000 },
    holdsRows: true,
    about: 'SIGSTOP of a service process, SIGCONT after up to 3 s',
    async inject({ services }, random) {
      const service = random.pick(services);
      service.pause();
      await delay(random.int(300, 3000));
      service.resume();
      return `service ${service.index}`;
    },
  },
  'long-stop': {
    resource: 'services',
    hinders: { commands: 2000, reads: 2000 },
    holdsRows: true,
    isRare: true,
    about: 'SIGSTOP of a service process, SIGCONT after 9 to 10 s, when MySQL has ended its idle sessions',
    async inject({ services }, random) {
      const service = random.pick(services);
      service.pause();
      await delay(LONG_STOP_MS + random.int(0, 1000));
      service.resume();
      return `service ${service.index}`;
    },
  },
  'rolling-restart': {
    resource: 'services',
    hinders: { commands: 4000, reads: 4000 },
    about: 'SIGTERM and start of one service process after the other, as an upgrade does',
    async inject({ services }) {
      const ends: string[] = [];
      for (const service of services) {
        const beganAt = performance.now();
        const code = await service.terminate();
        ends.push(`${Math.round(performance.now() - beganAt)} ms (exit ${code})`);
        service.start();
        // MySQL or Redis may be away at this moment: an upgrade would go on as well.
        await ready(service, 5000).catch(() => undefined);
      }
      return `${services.length} services, which stopped in ${ends.join(', ')}`;
    },
  },
  'clock-jump': {
    resource: 'clock',
    about:
      'the time that a service process sees jumps by up to 40 days, forward or back, and back again later',
    async inject({ services }, random) {
      const service = random.pick(services);
      const seconds = random.pick([30, 3600, 40 * 86_400]) * (random.chance(0.5) ? 1 : -1);
      if (!service.setClock(seconds * 1000)) return undefined; // it is down
      await delay(random.int(500, 3000));
      service.setClock(0);
      return `service ${service.index} by ${seconds} s`;
    },
  },
} as const satisfies Record<string, Fault>;
