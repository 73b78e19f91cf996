/** What a child process can be, by the name that it is started with. */
import type { ChildLink } from '../child-link.ts'
import { asyncCommitter } from './async-committer.ts'
import { hastyReader } from './hasty-reader.ts'
import { laggard } from './laggard.ts'
import { member } from './member.ts'
import { metricAgent } from './metric-agent.ts'
import { metricSaver } from './metric-saver.ts'
import { pacedReader } from './paced-reader.ts'
import { reader } from './reader.ts'
import { slowHandler } from './slow-handler.ts'
import { storeReader } from './store-reader.ts'
import { threads } from './threads.ts'
import { writer } from './writer.ts'

export const roles = {
  asyncCommitter,
  hastyReader,
  laggard,
  member,
  metricAgent,
  metricSaver,
  pacedReader,
  reader,
  slowHandler,
  storeReader,
  threads,
  writer,
} satisfies Record<string, (link: ChildLink, options: never) => Promise<void>>

export type Role = keyof typeof roles
export type RoleOptions<R extends Role> = Parameters<(typeof roles)[R]>[1]
