/** The way back up. */
import type { Address } from '../address.ts'
import { linkTo, usePage } from '../page.ts'

type Step = readonly [name: string, to: Partial<Address> & Pick<Address, 'view'>]

export function Crumbs({ steps }: { steps: readonly Step[] }) {
  const page = usePage()
  return (
    <nav aria-label={`${page.t('page.where')}: ${steps.map(([name]) => name).join(', ')}`}>
      <ol class="crumbs">
        {steps.map(([name, to]) => (
          <li key={name}>
            <a {...linkTo(page, to)}>{name}</a>
          </li>
        ))}
      </ol>
    </nav>
  )
}
