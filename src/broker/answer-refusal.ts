/** How an admin request that was refused is answered: the error's code and its words. */
import { LogRefusal } from './log/refusal.ts'

/** Throws again what is not a refusal: that is a bug, not an answer. */
export function answerRefusal(error: unknown): { errorCode: number; errorMessage: string } {
  if (!(error instanceof LogRefusal)) throw error
  return { errorCode: error.error.code, errorMessage: error.reason }
}
