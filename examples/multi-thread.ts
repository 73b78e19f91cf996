/** Three consumers of one group in one process. Chapter: docs/lab/multi-thread.md. Run: node examples/multi-thread.ts [servers] [topic] */
import { Consumer, WakeupError } from 'sluice'

const [servers = 'localhost:9092', topic = 'basic-topic', count = '3'] = process.argv.slice(2)

class ConsumerThread {
  readonly name: string
  readonly #consumer: Consumer

  constructor(name: string) {
    this.name = name
    this.#consumer = new Consumer({
      'bootstrap.servers': servers,
      'group.id': 'multi-thread-consumers',
      'client.id': name,
      'auto.offset.reset': 'earliest',
    })
  }

  async run(): Promise<void> {
    this.#consumer.subscribe([topic])
    try {
      while (true) {
        for (const record of await this.#consumer.poll(500)) console.log(`${this.name} >> ${record.valueText()}`)
      }
    } catch (error) {
      if (!(error instanceof WakeupError)) throw error
      console.log(`${this.name} trigger WakeupException`)
    } finally {
      await this.#consumer.close()
    }
  }

  shutdown(): void {
    this.#consumer.wakeup()
  }
}

const threads = Array.from({ length: Number(count) }, (_, index) => new ConsumerThread(`consumer-thread-${index}`))
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => {
    console.log('Bye')
    for (const thread of threads) thread.shutdown()
  })
}
await Promise.all(threads.map((thread) => thread.run()))
