import type { Minor } from '../domain/money';
import type { Writer } from './writer/writer';

/** What every command needs. */
export interface CommandContext {
  writer: Writer;
  /** The highest total of one order, in minor units. */
  maxOrderTotal: Minor;
}
