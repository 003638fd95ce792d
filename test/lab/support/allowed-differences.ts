/**
 * What may differ on a host after an environment came and went: the journal, the record of logins, what a boot of sysvinit
 * logs, and times of access (which a snapshot does not hold).
 */
export const allowedDifferences: readonly RegExp[] = [
  /^files . \/var\/log\/journal(\/|:)/,
  /^files . \/var\/log\/(wtmp|lastlog)(:|$)/,
  /^files . \/var\/log\/(dmesg|fsck\/)/,
];
