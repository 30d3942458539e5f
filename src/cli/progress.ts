import { SingleBar } from 'cli-progress';

export interface Progress {
  update(state: { label: string; done: number; total: number }): void;
  stop(): void;
}

/** A bar on a terminal; elsewhere a line for every tenth part. */
export function showProgress(stream: NodeJS.WriteStream): Progress {
  return stream.isTTY ? bar(stream) : lines(stream);
}

function bar(stream: NodeJS.WriteStream): Progress {
  const bar = new SingleBar({
    stream,
    format: '{label} {bar} {percentage} % | {value}/{total} | {duration_formatted}, {eta_formatted} left',
    hideCursor: true,
    clearOnComplete: false,
  });
  let shown: string | undefined;
  const stop = () => {
    if (shown !== undefined) bar.stop();
    shown = undefined;
  };
  return {
    update({ label, done, total }) {
      if (total === 0) return;
      // Each kind of work has a bar of its own.
      if (shown !== label) {
        stop();
        bar.start(total, done, { label });
        shown = label;
      }
      bar.setTotal(total);
      bar.update(done, { label });
    },
    stop,
  };
}

function lines(stream: NodeJS.WriteStream): Progress {
  let last = '';
  return {
    update({ label, done, total }) {
      const tenths = total === 0 ? 0 : Math.floor((10 * done) / total);
      const line = `${label}: ${tenths * 10} %`;
      if (line !== last) stream.write(`${line} (${done} of ${total})\n`);
      last = line;
    },
    stop() {},
  };
}
