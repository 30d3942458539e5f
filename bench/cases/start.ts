import type { Bench } from '../bench';
import type { Dataset } from '../data/dataset';
import { TALLY } from '../results';
import { HELLO } from './throughput';

/** From the start of the process until it answers with 200 that reports may be asked; the read model is there already. */
export async function start(bench: Bench, dataset: Dataset): Promise<void> {
  const { orders, stores } = dataset;
  const { services } = bench;
  await dataset.service.stop();
  const name = `start-up beside a read model of ${orders.toLocaleString('en-US')} orders`;
  await bench.compare({ name, unit: 'ms', better: 'less' }, [
    {
      name: TALLY,
      measure: async () => {
        const service = await services.tally(stores);
        const value = service.readyAfterMs;
        await service.stop();
        return { value };
      },
    },
    {
      name: HELLO,
      measure: async () => {
        const service = await services.baseline('hello', {});
        await service.stop();
        return { value: service.readyAfterMs };
      },
    },
  ]);
  await dataset.restart();
}
