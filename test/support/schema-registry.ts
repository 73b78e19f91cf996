/**
 * A schema registry written for the tests: Confluent's HTTP interface, as far as a reader uses it, over what a test puts in. The real one of the compat
 * tests is Apicurio Registry (test/compat/apicurio.ts).
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { TestContext } from 'node:test'
import { once } from 'node:events'
import { answerOf, type Vectors } from '../formats/vectors.ts'

export type Behaviour = 'well' | 'unavailable' | 'hangs' | 'redirects' | 'forbids'

export class TestSchemaRegistry {
  readonly asked: string[] = []
  /** `authorization` headers, as they came. */
  readonly authorizations: (string | undefined)[] = []
  behaves: Behaviour = 'well'
  readonly #contents: Pick<Vectors, 'subjects' | 'schemas'>
  readonly #server: Server

  private constructor(contents: Pick<Vectors, 'subjects' | 'schemas'>) {
    this.#contents = contents
    this.#server = createServer((request, response) => {
      const path = request.url!.replace(/^\/base/, '')
      this.asked.push(request.url!)
      this.authorizations.push(request.headers.authorization)
      switch (this.behaves) {
        case 'hangs':
          return
        case 'unavailable':
          response.writeHead(503).end('{"error_code":50003,"message":"no leader"}')
          return
        case 'redirects':
          response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
          return
        case 'forbids':
          response.writeHead(401).end()
          return
        case 'well': {
          const { status, body } = answerOf(this.#contents, path)
          response.writeHead(status, { 'content-type': 'application/vnd.schemaregistry.v1+json' }).end(body)
        }
      }
    })
  }

  static async start(t: TestContext, contents: Pick<Vectors, 'subjects' | 'schemas'>): Promise<TestSchemaRegistry> {
    const registry = new TestSchemaRegistry(contents)
    await registry.listen()
    t.after(() => registry.stop())
    return registry
  }

  #port = 0

  /** Again on the same port, after `stop`. */
  async listen(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}
