/** A data directory that cannot be used. The broker does not start. */
import { SluiceError } from '../../error.ts'

export class LogDirectoryError extends SluiceError {
  /** `SLUICE_DATA_DIRECTORY`, or `SLUICE_DATA_DIRECTORY_LOCKED` when another broker is using it. */
  constructor(
    message: string,
    options: { code?: 'SLUICE_DATA_DIRECTORY' | 'SLUICE_DATA_DIRECTORY_LOCKED'; cause?: unknown } = {},
  ) {
    super(options.code ?? 'SLUICE_DATA_DIRECTORY', message, { cause: options.cause })
  }
}
