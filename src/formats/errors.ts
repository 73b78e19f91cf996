/** What goes wrong between a record's bytes and its value, by who can do something about it. */
import { SluiceError } from '../error.ts'

/** These bytes are no such value, whoever tries and however often: this record's failure, and no other's. */
export class MalformedDataError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_MALFORMED_DATA', message, { cause })
  }
}

/** The registry cannot be reached or does not answer as it should: the same again later can succeed. No record is at fault. */
export class SchemaRegistryUnavailableError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_SCHEMA_REGISTRY_UNAVAILABLE', message, { retriable: true, cause })
  }
}

/** The registry refuses this client, or is none: somebody has to change the configuration. No record is at fault. */
export class SchemaRegistryRefusedError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_SCHEMA_REGISTRY_REFUSED', message, { cause })
  }
}

/** A package or a module that a format needs cannot be loaded. No record is at fault. */
export class FormatUnavailableError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_FORMAT_UNAVAILABLE', message, { cause })
  }
}
