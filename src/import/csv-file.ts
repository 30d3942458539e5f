import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { CsvError, parse, type InfoRecord } from 'csv-parse';
import type { z } from 'zod';
import { errorCode, errorMessage, fileFault } from '../domain/errors';
import { plainEnglish } from '../domain/plain-english';
import type { Faults } from './faults';

/** The file as a whole is not what it must be; nothing is said of its rows then. */
class FileFault extends Error {
  override readonly name = 'FileFault';
}

export interface CsvFile<S extends z.ZodObject> {
  directory: string;
  file: string;
  /** Of a row; its fields name the columns that there must be. Others are left out. */
  schema: S;
  faults: Faults;
  onRead: (bytes: number) => void;
}

/**
 * Hands over the rows of a file one by one, with the lines that they end on.
 * @param refuse is handed a row that has a fault, as text.
 */
export async function readCsv<S extends z.ZodObject>(
  { directory, file, schema, faults, onRead }: CsvFile<S>,
  take: (row: z.output<S>, line: number) => void,
  refuse: (row: Record<string, string>) => void,
): Promise<void> {
  const names = Object.keys(schema.shape);
  let isEmpty = true;
  const parser = parse({
    columns(header: string[]) {
      isEmpty = false;
      checkHeader(header, names);
      return header.map((name) => (names.includes(name) ? name : null));
    },
    trim: true,
    relax_column_count: true, // a fault of the row, not the end of the file
    skip_empty_lines: true,
    on_record(record: Record<string, string>, { lines, error }: Partial<InfoRecord> & { lines: number }) {
      const parsed = schema.safeParse(record, { error: plainEnglish });
      if (error === undefined && parsed.success) take(parsed.data, lines);
      else {
        refuse(record);
        if (error !== undefined) faults.add(`${file}:${lines}: ${OTHER_COUNT}`);
        else {
          for (const { path, message } of parsed.error?.issues ?? [])
            faults.add(`${file}:${lines}: ${path.join('.')}: ${message}`);
        }
      }
      return null; // nothing is kept
    },
  });
  try {
    const bytes = createReadStream(join(directory, file)).on('data', (chunk) => onRead(chunk.length));
    await pipeline(bytes, decode, parser.resume());
    if (isEmpty) throw new FileFault(`is empty: its first line must be ${names.join(',')}`);
  } catch (error) {
    const line = error instanceof CsvError ? /at line (\d+)/.exec(error.message)?.[1] : undefined;
    faults.addOfFile(`${file}:${line === undefined ? '' : `${line}:`} ${faultOf(error, directory)}`);
  }
}

const OTHER_COUNT =
  'has another number of fields than the first line: quote a text with a comma, and write amounts with a point';

function checkHeader(header: string[], names: string[]): void {
  const expected = `the first line must be ${names.join(',')}`;
  const found = header.join(',').slice(0, 100);
  if (names.length > 1 && header.length === 1 && found.includes(';'))
    throw new FileFault(`${expected}, with commas and not semicolons: it is ${found}`);
  const twice = header.find((name, index) => header.indexOf(name) !== index);
  if (twice !== undefined) throw new FileFault(`the first line names the column ${twice} twice`);
  const missing = names.filter((name) => !header.includes(name));
  if (missing.length > 0) throw new FileFault(`${expected}: ${missing.join(', ')} is missing in ${found}`);
}

/** @throws TypeError where the bytes are not UTF-8. */
async function* decode(bytes: AsyncIterable<Buffer>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true }); // leaves out a byte order mark
  for await (const chunk of bytes) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

const QUOTE_FAULTS: Partial<Record<CsvError['code'], string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote that is opened here is never closed',
  CSV_INVALID_CLOSING_QUOTE: 'a closing quote must be followed by a comma: write a quote inside a text twice',
  INVALID_OPENING_QUOTE: 'a quote inside a text: put the whole text in quotes, and write this one twice',
};

/** @throws where it is the fault neither of the file nor of its content. */
function faultOf(error: unknown, directory: string): string {
  const code = errorCode(error);
  if (code === 'ENOENT') return `there is no such file in ${directory}`;
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is not UTF-8: export it again as UTF-8';
  if (error instanceof FileFault) return errorMessage(error);
  if (error instanceof CsvError) return QUOTE_FAULTS[error.code] ?? errorMessage(error);
  if (code !== undefined) return fileFault(error);
  throw error;
}
