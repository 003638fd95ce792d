/**
 * What changes the world goes through a wrapper that names its crash point: finds the raw calls elsewhere, and barrels.
 * Run as a program it reads the repository and reports; the rules are the list below.
 */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

interface Rule {
  readonly name: string;
  /** What to do instead, for whoever reads the report. */
  readonly sentence: string;
  /** Files it holds for, as paths from the root with forward slashes. */
  readonly files: RegExp;
  readonly except?: RegExp;
  /** The callee as written (`session.run`, `rmSync`). */
  readonly call: RegExp;
  /** Such a call is right inside the act given to this function, or in a function that only such acts call. */
  readonly unlessWithin?: string;
}

const fileChange = /^(fs\.)?(appendFile|chmod|copyFile|cp|mkdir|mkdtemp|rename|rm|rmdir|symlink|truncate|unlink|writeFile)(Sync)?$/;

const rules: readonly Rule[] = [
  {
    name: "remote-change",
    sentence: "a machine is touched by remote.read and remote.change only",
    files: /^bootstrap\//,
    except: /^bootstrap\/(remote\.ts|ssh\/)/,
    call: /(^|\.)session\.(run|exec)$/,
  },
  {
    name: "store-commit",
    sentence: "the store is written by the leader's writer only (agent/master/state/writer.ts)",
    files: /^agent\/master\//,
    except: /^agent\/master\/state\//,
    call: /\.commit$/,
  },
  {
    name: "pool-change",
    sentence: "plugin and burster change a pool inside withCrashPoint",
    files: /^stacks\/(plugin|burst)\//,
    call: /^client\??\.(close|removeNode|declareNode|setBurstPolicy|removeBurstPolicy)$/,
    unlessWithin: "withCrashPoint",
  },
  {
    name: "burst-change",
    sentence: "what a burst makes and destroys it makes and destroys inside withCrashPoint",
    files: /^stacks\/(burst|plugin|workflow)\//,
    call: /^(applyBurst|destroyBurst|removeBurstStack|provider\.delete)$/,
    unlessWithin: "withCrashPoint",
  },
  {
    name: "file-change",
    sentence: "resources and machines change files inside withCrashPoint",
    files: /^(stacks\/plugin\/resources\/|providers\/local\/pool\.ts$)/,
    call: fileChange,
    unlessWithin: "withCrashPoint",
  },
  {
    name: "process-start",
    sentence: "machines and tasks are started inside withCrashPoint",
    files: /^(providers\/local\/pool\.ts$|agent\/node\/executor\/process|stacks\/burst\/)/,
    call: /^spawn$/,
    unlessWithin: "withCrashPoint",
  },
];

export interface Finding {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly sentence: string;
}

/** What breaks the rules in one file. `file` is its path from the root, which decides the rules that hold. */
export function findRawChanges(file: string, text: string): Finding[] {
  if (/\.test\.ts$|\/testing\//.test(file)) return [];
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.ES2024, true);
  const findings: Finding[] = [];
  const report = (node: ts.Node, rule: string, sentence: string) => {
    findings.push({ file, line: source.getLineAndCharacterOfPosition(node.getStart()).line + 1, rule, sentence });
  };
  for (const statement of source.statements) {
    if (ts.isExportDeclaration(statement) && statement.moduleSpecifier !== undefined) {
      report(statement, "no-barrel", "import a thing from where it is made instead of handing it on");
    }
  }
  const calls = callsOf(source);
  for (const rule of rules.filter(({ files, except }) => files.test(file) && except?.test(file) !== true)) {
    for (const call of calls.filter(({ expression }) => rule.call.test(expression.getText()))) {
      if (rule.unlessWithin === undefined || !isGuarded(call, rule.unlessWithin, calls, new Set())) report(call, rule.name, rule.sentence);
    }
  }
  return findings;
}

/** Whether a node stands inside the act of the wrapper, or in a function all of whose calls in this file do. */
function isGuarded(node: ts.Node, wrapper: string, calls: readonly ts.CallExpression[], seen: Set<ts.Node>): boolean {
  for (let at: ts.Node | undefined = node; at !== undefined; at = at.parent) {
    if (ts.isCallExpression(at.parent) && at.parent.expression.getText() === wrapper && at.parent.arguments.includes(at as ts.Expression))
      return true;
    if (ts.isFunctionDeclaration(at) && at.name !== undefined) {
      if (seen.has(at)) return true;
      const name = at.name.text;
      const within = new Set(seen).add(at);
      const uses = calls.filter(({ expression }) => expression.getText() === name);
      const exported = at.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true;
      return !exported && uses.length > 0 && uses.every((use) => isGuarded(use, wrapper, calls, within));
    }
    if (at.parent === undefined || ts.isSourceFile(at.parent)) return false;
  }
  return false;
}

function callsOf(source: ts.SourceFile): ts.CallExpression[] {
  const calls: ts.CallExpression[] = [];
  const visit = (node: ts.Node) => {
    if (ts.isCallExpression(node)) calls.push(node);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return calls;
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..", "..");
  const files = globSync("{agent,bootstrap,catalog,cli,examples,providers,stacks}/**/*.ts", { cwd: root });
  const findings = files.flatMap((file) => findRawChanges(file, readFileSync(join(root, file), "utf8")));
  for (const { file, line, rule, sentence } of findings) console.error(`${file}:${line}  ${rule}: ${sentence}`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
