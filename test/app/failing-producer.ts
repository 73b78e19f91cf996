/** A producer for dead letters that a test holds up or lets fail. */
import type { ProducerPort } from '../../src/app/producer-port.ts'
import type { ProducerRecord } from '../../src/client/producer/record.ts'

export class FailingProducer implements ProducerPort {
  readonly sent: ProducerRecord[] = []
  /** `payments-dlt like payments` */
  readonly topics: string[] = []
  beforeTopic: () => Promise<void> = async () => {}
  beforeSend: (signal: AbortSignal) => Promise<void> = async () => {}

  async send(record: ProducerRecord, signal: AbortSignal): Promise<void> {
    await this.beforeSend(signal)
    this.sent.push(record)
  }

  async ensureTopic(topic: string, like: string): Promise<void> {
    await this.beforeTopic()
    this.topics.push(`${topic} like ${like}`)
  }

  async transact(): Promise<void> {}
  async close(): Promise<void> {}
}

/** The value of a header of Sluice's own, by its name without `sluice-`. */
export function headerOf({ headers = [] }: ProducerRecord, name: string): string | undefined {
  const found = headers.find(({ key }) => key === `sluice-${name}`)
  return found && String(found.value)
}
