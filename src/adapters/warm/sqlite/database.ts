import { WarmUnavailableError } from '../../../model/errors.ts';
import { SqliteFile } from '../../../runtime/sqlite-file.ts';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';

export type { Row } from '../../../runtime/sqlite-file.ts';

/** The warm tier's file. */
export class Database extends SqliteFile {
  /**
   * Opens the file, makes it if need be, and brings its schema up to date.
   * @throws UnsuitableStoreError if it is damaged, another program's, or of a newer version: it is left as it is
   * @throws WarmUnavailableError if it cannot be had now
   */
  constructor(file: string) {
    super(file, {
      name: 'the warm tier',
      applicationId: APPLICATION_ID,
      migrations: MIGRATIONS,
      unavailable: (message, options) => new WarmUnavailableError(message, options),
    });
  }
}
