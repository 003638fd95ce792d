/** Many hosts in one line, as Ansible and pdsh write them: node[01-12].example.org, 192.0.2.[11-14], db-[a:c], web[1,3,5-7]; pure. */

/** What one line may stand for; more is a typing error. */
const mostHosts = 1000;
const bracket = /\[([^[\]]*)\]/;

export function isHostRange(host: string): boolean {
  return /[[\]]/.test(host);
}

/** The hosts that are meant, in order; a host without a range is itself. Throws a RangeError that says what is wrong. */
export function expandHostRange(host: string): string[] {
  const found = bracket.exec(host);
  if (found === null) {
    if (isHostRange(host)) throw new RangeError(`"${host}" has a bracket that is not closed or not opened`);
    return [host];
  }
  const [whole, inside = ""] = found;
  const [before, after] = [host.slice(0, found.index), host.slice(found.index + whole.length)];
  const values = inside.split(",").flatMap((part) => valuesOf(part.trim(), host));
  const rest = expandHostRange(after);
  if (values.length * rest.length > mostHosts) throw tooMany(host);
  return values.flatMap((value) => rest.map((ending) => `${before}${value}${ending}`));
}

/** `01-12`, `1:9:2` (with a step), `a-f`, `7`. */
function valuesOf(part: string, host: string): string[] {
  const numbers = /^(\d+)(?:[-:](\d+)(?::(\d+))?)?$/.exec(part);
  if (numbers !== null) {
    const [, first = "", last = first, step = "1"] = numbers;
    // Written with a leading zero, all have the width that is written.
    const width = first.startsWith("0") && first.length > 1 ? first.length : 0;
    return counted(Number(first), Number(last), Number(step), { part, host }).map((value) => String(value).padStart(width, "0"));
  }
  const letters = /^(?:([a-z])[-:]([a-z])|([A-Z])[-:]([A-Z]))$/.exec(part);
  if (letters === null)
    throw new RangeError(`"${host}": [${part}] is not a range; write numbers or letters, like [01-12], [1:9:2], [a-f] or [1,3,5-7]`);
  const [first = "", last = ""] = letters.slice(1).filter((letter) => letter !== undefined);
  return counted(first.charCodeAt(0), last.charCodeAt(0), 1, { part, host }).map((code) => String.fromCharCode(code));
}

function counted(first: number, last: number, step: number, { part, host }: { readonly part: string; readonly host: string }): number[] {
  if (last < first) throw new RangeError(`"${host}": [${part}] ends before it begins`);
  if (step < 1) throw new RangeError(`"${host}": [${part}] has a step of 0`);
  if ((last - first) / step >= mostHosts) throw tooMany(host);
  return Array.from({ length: Math.floor((last - first) / step) + 1 }, (_unused, index) => first + index * step);
}

function tooMany(host: string): RangeError {
  return new RangeError(`"${host}" stands for more than ${mostHosts} hosts`);
}
