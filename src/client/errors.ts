/**
 * The client's errors. Each has a stable `code` and says whether the same may simply be tried again (`retriable`).
 * What a broker answered with an error code is a `KafkaError` (src/protocol/error-codes.ts); these are the client's own.
 */
import { SluiceError } from '../error.ts'

/** A configuration that cannot be used. Holds every problem that was found, not only the first. */
export class ConfigError extends SluiceError {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(
      'SLUICE_CONFIG',
      problems.length === 1
        ? problems[0]!
        : `The configuration has ${problems.length} problems:\n- ${problems.join('\n- ')}`,
    )
    this.problems = problems
  }
}

/** A broker that could not be reached: refused, unknown host, no answer. The message names address and cause. */
export class BrokerUnavailableError extends SluiceError {
  readonly address: string

  constructor(address: string, message: string, cause?: unknown) {
    super('SLUICE_BROKER_UNAVAILABLE', message, { retriable: true, cause })
    this.address = address
  }
}

/** The broker refused who we say we are, or is not who it should be. Trying again does not help. */
export class AuthenticationError extends SluiceError {
  readonly address: string

  constructor(address: string, message: string, cause?: unknown) {
    super('SLUICE_AUTHENTICATION', message, { cause })
    this.address = address
  }
}

/** The connection broke while a request was under way: whether the broker acted on it is unknown. */
export class DisconnectedError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_DISCONNECTED', message, { retriable: true, cause })
  }
}

/** No response within `request.timeout.ms`. The connection is closed, as whatever follows on it would come late too. */
export class RequestTimeoutError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_REQUEST_TIMEOUT', message, { retriable: true })
  }
}

/** An operation did not succeed within its time (`default.api.timeout.ms`, `max.block.ms` …). `cause` is what failed last. */
export class TimeoutError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    const because = cause instanceof Error ? ` The last attempt failed: ${cause.message}` : ''
    super('SLUICE_TIMEOUT', `${message}${because}`, { retriable: true, cause })
  }
}

/** The broker and Sluice have no version of an API in common, or the broker has not the one that is needed. */
export class UnsupportedVersionError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_UNSUPPORTED_VERSION', message)
  }
}

/** The caller's own AbortSignal ended the operation. */
export class AbortedError extends SluiceError {
  /** Why what was waited for had not come about, where that is known. */
  readonly waitedFor: Error | undefined

  constructor(doing: string, cause?: unknown, waitedFor?: Error) {
    super('SLUICE_ABORTED', `${doing} was aborted`, { cause })
    this.waitedFor = waitedFor
  }
}

/** The client was closed before or while the operation ran. */
export class ClosedError extends SluiceError {
  constructor(what: string) {
    super('SLUICE_CLOSED', `${what} is closed`)
  }
}

/** An operation that the object's present state does not allow. */
export class IllegalStateError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_ILLEGAL_STATE', message)
  }
}

/** Arguments that can never work. */
export class InvalidArgumentError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_INVALID_ARGUMENT', message)
  }
}

/** One record is larger than `max.request.size`, `buffer.memory` or the broker's `max.message.bytes` allows. Other records are not touched. */
export class RecordTooLargeError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_RECORD_TOO_LARGE', message, { cause })
  }
}

/** `buffer.memory` stayed full for `max.block.ms`: the brokers take records more slowly than they are sent. */
export class BufferExhaustedError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_BUFFER_EXHAUSTED', message, { retriable: true })
  }
}

/** A record was not acknowledged within `delivery.timeout.ms`. It may or may not be in the log. */
export class DeliveryTimeoutError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_DELIVERY_TIMEOUT', message, { retriable: true, cause })
  }
}

/** A newer producer with the same `transactional.id` took over. This one must be closed. */
export class ProducerFencedError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_PRODUCER_FENCED', message, { cause })
  }
}

/** The open transaction cannot be committed any more; `abortTransaction()` and the producer can go on. */
export class TransactionAbortableError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_TRANSACTION_ABORTABLE', message, { cause })
  }
}

/** The transaction failed for good; the producer must be closed. */
export class TransactionFailedError extends SluiceError {
  constructor(message: string, cause?: unknown) {
    super('SLUICE_TRANSACTION_FAILED', message, { cause })
  }
}

/** The transaction was aborted before this record was sent. */
export class TransactionAbortedError extends SluiceError {
  constructor(message: string) {
    super('SLUICE_TRANSACTION_ABORTED', message)
  }
}
