/** The producer's conformance suite over the embedded broker. */
import { after } from 'node:test'
import { startBroker } from '../../../src/testing/index.ts'
import { producerConformance } from './producer-conformance.ts'

const broker = startBroker()
after(async () => (await broker).stop())
producerConformance(() => broker)
