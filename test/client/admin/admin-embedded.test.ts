/** The admin client's conformance suite over the embedded broker. */
import { after } from 'node:test'
import { startBroker } from '../../../src/testing/index.ts'
import { adminConformance } from './admin-conformance.ts'

const broker = startBroker()
after(async () => (await broker).stop())
adminConformance(() => broker)
