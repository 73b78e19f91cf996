/** SIGSTOP to a process. The signal reaches its threads one after the other, and each of them may answer a request until then: so it is waited for. */
import type { ChildProcess } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { until } from './until.ts'

/** Resolves when every thread stands still. */
export async function pauseProcess(child: ChildProcess | undefined): Promise<void> {
  const pid = child?.pid
  if (pid === undefined) return
  child!.kill('SIGSTOP')
  await until(() => isStopped(pid), { everyMs: 1, what: `process ${pid} stands still` })
}

function isStopped(pid: number): boolean {
  const tasks = `/proc/${pid}/task`
  if (!existsSync(tasks)) return true
  try {
    // The state stands behind the name, which is in parentheses: stopped, or dead.
    return readdirSync(tasks).every((one) => /.*\) [TtZX]/.test(readFileSync(join(tasks, one, 'stat'), 'utf8')))
  } catch {
    // A thread has ended between the listing and the look at it.
    return false
  }
}
