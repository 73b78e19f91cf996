import { SluiceError } from '../error.ts'

/** Bytes that are not what the protocol says they are. The only error that a decoder may throw. */
export class DecodeError extends SluiceError {
  constructor(message: string, options: { cause?: unknown } = {}) {
    super('SLUICE_DECODE', message, options)
  }
}

/** The bytes end before the value does. Normal for the last batch of a fetch, an error anywhere else. */
export class TruncatedError extends DecodeError {}

/** A value that the protocol cannot carry in the version that was negotiated. */
export class EncodeError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_ENCODE', message)
  }
}
