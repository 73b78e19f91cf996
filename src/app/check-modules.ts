/** Loads every module and package that a consumer.conf names, before anything is joined: what cannot be loaded is said with its place in the file. */
import type { ClientSeams } from '../client/seams.ts'
import { SluiceError } from '../error.ts'
import { systemHttp } from '../seams/http.ts'
import { step } from './conf-references.ts'
import type { ApplicationConf } from './conf.ts'
import { ConfError, type ConfProblem } from './errors.ts'
import { loadHandler } from './handler-module.ts'
import { loadDecoder } from './value-decoders.ts'

/** @throws ConfError with every problem */
export async function checkModules(
  applications: readonly ApplicationConf[],
  file: string,
  seams: ClientSeams,
): Promise<void> {
  const problems: ConfProblem[] = []
  const attempt = async (path: string, load: () => Promise<void>) => {
    try {
      await load()
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      problems.push({ path, message: error.message })
    }
  }
  for (const application of applications) {
    const { path, handler } = application
    if (handler) await attempt(step(path, 'handler'), async () => void (await loadHandler(handler.file)))
    await attempt(step(path, 'value'), async () =>
      (await loadDecoder(application, { ...seams, http: systemHttp })).close(),
    )
  }
  if (problems.length > 0) throw new ConfError(file, problems)
}
