/** Loads every module and package that a consumer.conf names, before anything is joined: what cannot be loaded is said with its place in the file. */
import { basename } from 'node:path'
import type { ClientSeams } from '../client/seams.ts'
import { SluiceError } from '../error.ts'
import { systemHttp } from '../seams/http.ts'
import { DEFAULT_BATCH_RECORDS, type HandlerConf } from './conf-handler.ts'
import { step } from './conf-references.ts'
import type { ApplicationConf } from './conf.ts'
import { ConfError, type ConfProblem } from './errors.ts'
import { loadHandler, type LoadedHandler } from './handler-module.ts'
import { loadDecoder } from './value-decoders.ts'

/**
 * The applications, with what only their modules say filled in.
 * @throws ConfError with every problem
 */
export async function checkModules(
  applications: readonly ApplicationConf[],
  file: string,
  seams: ClientSeams,
): Promise<readonly ApplicationConf[]> {
  const problems: ConfProblem[] = []
  const attempt = async <T>(path: string, load: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await load()
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      problems.push({ path, message: error.message })
      return undefined
    }
  }
  const checked: ApplicationConf[] = []
  for (const application of applications) {
    const { path, handler } = application
    const loaded = handler && (await attempt(step(path, 'handler'), () => loadHandler(handler.file)))
    if (handler && loaded) problems.push(...misfits(path, handler, loaded))
    await attempt(step(path, 'value'), async () =>
      (await loadDecoder(application, { ...seams, http: systemHttp })).close(),
    )
    checked.push(loaded?.kind === 'batch' ? withBatches(application, handler!) : application)
  }
  if (problems.length > 0) throw new ConfError(file, problems)
  return checked
}

/** Settings that the kind of function which the module exports cannot honour. */
function misfits(path: string, { file, order, batchRecords }: HandlerConf, { kind }: LoadedHandler): ConfProblem[] {
  const name = basename(file)
  if (kind === 'batch' && order !== 'partition') {
    const message =
      `is "${order}", and ${name} exports "handleBatch", which is called with the records of a partition in their order, one batch after the other: ` +
      'leave it out, or export a function for one record'
    return [{ path: step(path, 'order'), message }]
  }
  if (kind === 'record' && batchRecords !== undefined) {
    const message =
      `is ${batchRecords}, and ${name} exports a function for one record: ` +
      'leave it out, or export "handleBatch", called with (records, context)'
    return [{ path: step(path, 'batch.records'), message }]
  }
  return []
}

function withBatches(application: ApplicationConf, handler: HandlerConf): ApplicationConf {
  const { batchRecords = DEFAULT_BATCH_RECORDS } = handler
  return { ...application, handler: { ...handler, batchRecords } }
}
