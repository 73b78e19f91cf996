/** Packages that only some formats need are no dependencies of Sluice's: they are loaded when a format is used, and a missing one is an error that says how to get it. */
import { FormatUnavailableError } from './errors.ts'

export type LoadPackage = (name: string) => Promise<unknown>

/** @throws FormatUnavailableError when it is not installed, with the command that installs it */
export async function loadPackage<T>(
  name: string,
  format: string,
  load: LoadPackage = (one) => import(one),
): Promise<T> {
  const [installed] = name.split('/') as [string]
  try {
    const loaded = (await load(name)) as { readonly default?: T }
    return loaded.default ?? (loaded as T)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(installed)) throw error
    throw new FormatUnavailableError(
      `"${format}" needs the package "${installed}", which is not installed: run npm install ${installed}`,
      error,
    )
  }
}
