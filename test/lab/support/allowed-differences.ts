/** What may differ on a host after an environment came and went: the journal, the record of logins, and times of access (which a snapshot does not hold). */
export const allowedDifferences: readonly RegExp[] = [/^files . \/var\/log\/journal(\/|:)/, /^files . \/var\/log\/(wtmp|lastlog)(:|$)/];
