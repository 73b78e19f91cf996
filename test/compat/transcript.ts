/**
 * Plays a sequence of raw requests against a broker and writes down its answers, so that two brokers can be compared word
 * by word. What may differ between them (ids that a broker makes up, addresses, times) is replaced by names in the
 * order of appearance.
 */
import { type TestContext } from 'node:test'
import { type Api } from '../../src/protocol/api.ts'
import { errorOf } from '../../src/protocol/error-codes.ts'
import { createTopics, metadata } from '../../src/protocol/messages/index.ts'
import { WireClient } from '../support/wire-client.ts'

export type Line = readonly [request: string, answer: unknown]

export class Transcript {
  readonly lines: Line[] = []
  readonly bootstrapServers: string
  readonly #t: TestContext
  readonly #names = new Map<string, string>()
  readonly #clients = new Map<string, WireClient>()

  constructor(bootstrapServers: string, t: TestContext) {
    this.bootstrapServers = bootstrapServers
    this.#t = t
    const [host, port] = bootstrapServers.split(':')
    this.#names.set(`number ${port}`, '<port>')
    this.#names.set(host!, '<host>')
  }

  /** Sends from the connection of this name, waits and writes the answer down. Answers it as it came. */
  async ask<Input, Response>(
    from: string,
    api: Api<any, Input, Response, any>,
    version: number,
    body: Input,
    note = '',
  ): Promise<Response> {
    return (await this.begin(from, api, version, body, note)()) as Response
  }

  /** As `ask`, for a request whose answer waits for others: returns a function that waits. Lines stand in the order of waiting. */
  begin<Input, Response>(
    from: string,
    api: Api<any, Input, Response, any>,
    version: number,
    body: Input,
    note = '',
  ): () => Promise<Response> {
    const answer = this.#client(from).then((client) => client.request(api, version, body))
    answer.catch(() => {})
    return async () => {
      const response = await answer
      const label = `${from}: ${api.name} ${version}${note && ` (${note})`}`
      this.lines.push([label, this.#plain(response, '')])
      return response
    }
  }

  /** Gives what a broker made up a name that is the same for every broker. */
  name(value: string | number, name: string): void {
    this.#names.set(typeof value === 'number' ? `number ${value}` : value, `<${name}>`)
  }

  /** Creates a topic and resolves with its id. */
  async topic(name: string, partitions: number): Promise<string> {
    const client = await this.#client('admin')
    await client.request(createTopics, 5, {
      topics: [{ name, numPartitions: partitions, replicationFactor: 1, assignments: [], configs: [] }],
      timeoutMs: 30_000,
      validateOnly: false,
    })
    for (;;) {
      const found = await client.request(metadata, 12, { topics: [{ topicId: NO_ID, name }] })
      const { topicId, errorCode, partitions: all } = found.topics[0]!
      if (errorCode === 0 && all.length === partitions && all.every((one) => one.leaderId >= 0)) {
        this.name(topicId, `id of ${name}`)
        return topicId
      }
    }
  }

  async #client(from: string): Promise<WireClient> {
    let client = this.#clients.get(from)
    if (!client) {
      client = await WireClient.connect(this.bootstrapServers, this.#t, from)
      this.#clients.set(from, client)
    }
    return client
  }

  #plain(value: unknown, key: string): unknown {
    if (value instanceof Uint8Array) return `bytes ${Buffer.from(value).toString('latin1')}`
    if (Array.isArray(value)) {
      const plain = value.map((one) => this.#plain(one, key))
      // Kafka keeps these in hash maps: their order means nothing.
      const unordered = [
        'members',
        'topics',
        'groups',
        'partitions',
        'results',
        'coordinators',
        'resultsByPartition',
      ].includes(key)
      return unordered ? plain.sort((left, right) => (JSON.stringify(left) < JSON.stringify(right) ? -1 : 1)) : plain
    }
    if (typeof value === 'object' && value !== null) {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.#plain(one, name)]))
    }
    if (/errorCode$/i.test(key)) return errorOf(value as number).name
    if (typeof value === 'string') return this.#named(value)
    if (typeof value === 'number' && (key === 'producerId' || key === 'port' || key === 'nodeId')) {
      return this.#names.get(`number ${value}`) ?? value
    }
    return value
  }

  #named(text: string): string {
    const known = this.#names.get(text)
    if (known) return known
    // Member ids are made of what the client says and a UUID.
    return text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, () => {
      const name = `<uuid ${this.#names.size}>`
      this.#names.set(text, text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/, name))
      return name
    })
  }
}

const NO_ID = 'AAAAAAAAAAAAAAAAAAAAAA'
