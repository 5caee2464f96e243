"""Reads gcovr's JSON: prints a table per folder and writes the error paths that were never executed.

usage: untested.py COVERAGE.json LIST.txt
"""
import json
import re
import sys

# What makes an error, or passes one on as a code of its own.
ERROR = re.compile(r"\berror_(set|at)\(|\breturn\s+ERR_(?!OK\b)|=\s*ERR_(?!OK\b)\w+;|\bno_memory\(e\)"
                   r"|\b(fault|fail|refuse|damaged)\w*\(")
MEMORY = re.compile(r"ERR_NO_MEMORY|no_memory\(")
DEFINITION = re.compile(r"^(static |enum |void |const |\})|_Noreturn")


def error_lines(path):
    """Line numbers of a source that are error paths."""
    with open(path, encoding="utf-8") as source:
        for number, text in enumerate(source, 1):
            if ERROR.search(text) and not DEFINITION.match(text):
                yield number, text.strip()


def part(some, all_):
    return f"{some}/{all_} {100 * some / max(all_, 1):.1f}%".ljust(22)


def main(coverage_path, list_path):
    with open(coverage_path, encoding="utf-8") as file:
        files = json.load(file)["files"]
    folders, untested, memory = {}, [], []
    for entry in sorted(files, key=lambda f: f["file"]):
        path = entry["file"]
        lines = [line for line in entry["lines"] if not line["gcovr/noncode"]]
        counts = {line["line_number"]: line["count"] for line in lines}
        branches = [branch["count"] for line in lines for branch in line["branches"]]
        total = folders.setdefault(path.split("/")[0], [0, 0, 0, 0, 0, 0])
        total[0] += sum(1 for count in counts.values() if count)
        total[1] += len(counts)
        total[4] += sum(1 for count in branches if count)
        total[5] += len(branches)
        for number, text in error_lines(path):
            if number not in counts:
                continue
            is_memory = bool(MEMORY.search(text))
            if not is_memory:
                total[2] += counts[number] > 0
                total[3] += 1
            if counts[number] == 0:
                (memory if is_memory else untested).append(f"{path}:{number}: {text}")
    with open(list_path, "w", encoding="utf-8") as out:
        out.write(f"{len(untested)} error paths that no test executed:\n\n")
        out.writelines(line + "\n" for line in untested)
        out.write(f"\n{len(memory)} that only say that memory ran out:\n\n")
        out.writelines(line + "\n" for line in memory)
    print(f"{'folder':<8}{'lines':<22}{'branches':<22}error paths")
    for name, numbers in folders.items():
        print(f"{name:<8}" + "".join(part(*numbers[i:i + 2]) for i in (0, 4, 2)).rstrip())
    print(f"never executed: {len(untested)} error paths, and {len(memory)} that only say that memory"
          f" ran out: {list_path}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
