/** Drivers are no dependencies of Sluice's: each is loaded when its sink opens, and a missing one is an error that says how to get it. */
import { SinkRefusedError } from './sink.ts'

export type LoadPackage = (name: string) => Promise<unknown>

export const importPackage: LoadPackage = (name) => import(name)

export interface DriverPackage {
  readonly name: string
  /** The sink that needs it. */
  readonly sink: string
  /** What `npm install` is to be told. Default: the name. */
  readonly install?: string
}

/** @throws SinkRefusedError when it is not installed, with the command that installs it */
export async function loadDriver<Driver>(
  { name, sink, install = name }: DriverPackage,
  load: LoadPackage = importPackage,
): Promise<Driver> {
  try {
    return (await load(name)) as Driver
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    if (code !== 'ERR_MODULE_NOT_FOUND' || !message.includes(`'${name}'`)) throw error
    throw new SinkRefusedError(
      `the ${sink} sink needs the package "${name}", which is not installed: run npm install ${install}`,
      error,
    )
  }
}
