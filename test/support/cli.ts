import { main } from '../../src/main';
import { notePrinted } from './watch';

/** What a command says, and its exit code. */
export async function runCli(args: string[], env: NodeJS.ProcessEnv) {
  const said: string[] = [];
  const listen = (...words: unknown[]) => void said.push(words.join(' '));
  const spies = [
    jest.spyOn(console, 'log').mockImplementation(listen),
    jest.spyOn(console, 'error').mockImplementation(listen),
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => said.push(String(text)) > 0),
  ];
  try {
    const exitCode = await main(args, env);
    return { exitCode, output: said.join('\n') };
  } finally {
    notePrinted(args, said.join('\n'));
    for (const spy of spies) spy.mockRestore();
  }
}
