/** What the monitor says, in the reader's language, with numbers as the reader writes them. */
import { inWords, type Sentence } from '../../lag/sentences.ts'
import type { MessageKey } from '../messages.ts'
import { usePage } from '../page.ts'

export function Sentences({ all }: { all: readonly Sentence[] }) {
  const { t, formats, language } = usePage()
  const written = {
    number: formats.number,
    duration: (ms: number) => formats.duration(ms / 1000),
    rate: formats.rate,
    status: (status: string) => t(`status.${status}` as MessageKey),
  }
  return <>{all.map((sentence) => inWords(sentence, language, written)).join(' ')}</>
}
