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
  let started = false;
  return {
    update({ label, done, total }) {
      if (!started && total > 0) {
        bar.start(total, done, { label });
        started = true;
      } else if (started) {
        bar.setTotal(total);
        bar.update(done, { label });
      }
    },
    stop() {
      if (started) bar.stop();
    },
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
