/**
 * The one base class of every error that Sluice throws on purpose.
 *
 * A caller decides by `code` (stable, documented) and `retriable`, never by the message: the message is for the
 * person who reads it and says what was being done, to what, and what to do now.
 */
export class SluiceError extends Error {
  /** Stable identifier, for example `SLUICE_COMMIT_FAILED`. */
  readonly code: string
  /** True when doing the same again later can succeed without anybody changing anything. */
  readonly retriable: boolean

  constructor(code: string, message: string, options: { retriable?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = new.target.name
    this.code = code
    this.retriable = options.retriable ?? false
  }
}
