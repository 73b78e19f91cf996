/**
 * A broker that says what a test scripts, over real sockets: for what the embedded broker never does (answer in the wrong order, send
 * garbage, know only old versions, lose its memory of producers).
 */
import { createServer, type Socket } from 'node:net'
import { once } from 'node:events'
import { type TestContext } from 'node:test'
import { decodeRequestClientId, decodeRequestStart, encodeResponse, FrameSplitter } from '../../src/protocol/frame.ts'
import { apiByKey, apiVersions, findCoordinator, initProducerId, metadata } from '../../src/protocol/messages/index.ts'
import { Reader } from '../../src/protocol/reader.ts'

export interface Seen {
  readonly api: string
  readonly version: number
  readonly request: any
  readonly clientId: string | null
}

/** A response, `silence` (never answered), `hang-up`, or raw bytes. */
export type Answer = object | 'silence' | 'hang-up' | Buffer
export type Script = (request: any, version: number, count: number) => Answer | Promise<Answer>

export interface ScriptedBroker {
  readonly bootstrapServers: string
  readonly port: number
  readonly seen: Seen[]
  readonly connections: number
  /** Sets what an API is answered; `count` is how often it was asked before. */
  on(apiName: string, script: Script): void
  requests(apiName: string): Seen[]
  /** Breaks every connection that there is. */
  hangUp(): void
}

export async function scriptedBroker(
  t: TestContext,
  { topics = { orders: 1 } as Record<string, number>, versions = {} as Record<string, [number, number]> } = {},
): Promise<ScriptedBroker> {
  const scripts = new Map<string, Script>()
  const seen: Seen[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket.setNoDelay(true))
    socket.on('close', () => sockets.delete(socket)).on('error', () => {})
    const splitter = new FrameSplitter()
    let last: Promise<void> = Promise.resolve()
    const onFrame = (frame: Buffer) => {
      last = last.then(() => serve(socket, frame))
    }
    socket.on('data', (chunk) => splitter.push(chunk, onFrame))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  t.after(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })

  async function serve(socket: Socket, frame: Buffer): Promise<void> {
    const reader = new Reader(frame)
    const { apiKey, apiVersion, correlationId } = decodeRequestStart(reader)
    const api = apiByKey.get(apiKey)!
    const isKnown = apiVersion <= api.versions[1]
    const clientId = decodeRequestClientId(reader, api.isFlexible(apiVersion))
    const request: unknown = isKnown ? api.requestCodec(apiVersion).read(reader) : undefined
    const count = seen.filter((one) => one.api === api.name).length
    seen.push({ api: api.name, version: apiVersion, request, clientId })
    const answer = await scripts.get(api.name)!(request, apiVersion, count)
    if (answer === 'silence') return
    if (answer === 'hang-up') return void socket.destroy()
    const bytes = Buffer.isBuffer(answer)
      ? answer
      : Buffer.concat(encodeResponse(api, isKnown ? apiVersion : 0, correlationId, answer))
    socket.write(bytes)
  }

  const broker: ScriptedBroker = {
    bootstrapServers: `127.0.0.1:${port}`,
    port,
    seen,
    get connections() {
      return connections
    },
    on: (apiName, script) => void scripts.set(apiName, script),
    requests: (apiName) => seen.filter((one) => one.api === apiName),
    hangUp: () => sockets.forEach((socket) => socket.destroy()),
  }
  broker.on(apiVersions.name, () => ({
    errorCode: 0,
    apiKeys: [...apiByKey.values()].map((api) => {
      const [minVersion, maxVersion] = versions[api.name] ?? api.versions
      return { apiKey: api.key, minVersion, maxVersion }
    }),
    throttleTimeMs: 0,
    supportedFeatures: [],
    finalizedFeatures: [],
  }))
  broker.on(metadata.name, (request) => metadataOf(port, topics, request))
  broker.on(initProducerId.name, () => ({ throttleTimeMs: 0, errorCode: 0, producerId: 7, producerEpoch: 0 }))
  broker.on(findCoordinator.name, ({ coordinatorKeys }: { coordinatorKeys: string[] }) => ({
    coordinators: coordinatorKeys.map((key) => ({
      key,
      nodeId: 1,
      host: '127.0.0.1',
      port,
      errorCode: 0,
      errorMessage: null,
    })),
  }))
  return broker
}

export function metadataOf(
  port: number,
  topics: Record<string, number>,
  request: { topics: { name: string }[] | null },
  { leaderEpoch = 0, topicId = 'AAAAAAAAAAAAAAAAAAAAAQ', nodeId = 1 } = {},
) {
  const names = request.topics ? request.topics.map(({ name }) => name) : Object.keys(topics)
  return {
    throttleTimeMs: 0,
    brokers: [{ nodeId, host: '127.0.0.1', port, rack: null }],
    clusterId: 'scripted',
    controllerId: nodeId,
    topics: names.map((name) => ({
      errorCode: name in topics ? 0 : 3,
      name,
      topicId,
      partitions: Array.from({ length: topics[name] ?? 0 }, (_, partitionIndex) => ({
        errorCode: 0,
        partitionIndex,
        leaderId: nodeId,
        leaderEpoch,
        replicaNodes: [nodeId],
        isrNodes: [nodeId],
        offlineReplicas: [],
      })),
    })),
    errorCode: 0,
  }
}

/** The answer to a Produce request: one error code for all, or one for each partition. */
export function produced(
  request: { topicData: { name: string; partitionData: { index: number }[] }[] },
  answer: { errorCode?: number; baseOffset?: number; logStartOffset?: number } = {},
) {
  return {
    responses: request.topicData.map(({ name, partitionData }) => ({
      name,
      topicId: undefined,
      partitionResponses: partitionData.map(({ index }) => ({
        index,
        errorCode: answer.errorCode ?? 0,
        baseOffset: answer.baseOffset ?? 0,
        logAppendTimeMs: -1,
        logStartOffset: answer.logStartOffset ?? 0,
        recordErrors: [],
      })),
    })),
    throttleTimeMs: 0,
    nodeEndpoints: [],
  }
}
