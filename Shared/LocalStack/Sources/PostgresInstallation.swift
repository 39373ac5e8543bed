import Foundation

/// Where PostgreSQL's programs are, and a new cluster made quickly.
struct PostgresInstallation {
  /// The folder with `postgres` and `initdb`.
  let programs: String
  private let version: String

  /// Debian keeps each major version in a folder of its own, outside of PATH.
  static func newest() async throws -> PostgresInstallation {
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root))?.compactMap { Int($0) } ?? []
    let debian = versions.max().map { "\(root)/\($0)/bin" }
    let candidates = [debian].compactMap { $0 } + (Tool.baseEnvironment["PATH"] ?? "").split(separator: ":").map(String.init)
    guard let programs = candidates.first(where: { FileManager.default.isExecutableFile(atPath: "\($0)/initdb") }) else {
      throw LocalStackError(.missingProgram, part: "postgres", "It is not installed; run `make packages`.")
    }
    // "postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)"
    let words = try await Tool.run(["\(programs)/postgres", "--version"]).split(separator: " ")
    return PostgresInstallation(programs: programs, version: words.count > 2 ? String(words[2]) : "unknown")
  }

  /// Makes the data folder unless it is there. `initdb` takes seconds, a copy of its result takes a tenth of one: so it is run
  /// once per version and account, and its result kept in `/var/tmp`.
  func makeCluster(_ data: String, account: ServerAccount) async throws {
    let script = """
      set -eu
      umask 077
      cache=$1 template=$1/postgres-$2 data=$3 initdb=$4
      [ ! -e "$data/PG_VERSION" ] || exit 0
      mkdir -p -m 700 "$cache"
      [ -O "$cache" ] && [ ! -L "$cache" ] || { echo "$cache belongs to someone else; remove it" >&2; exit 1; }
      if [ ! -e "$template" ]; then
        fresh=$(mktemp -d "$cache/new.XXXXXX")
        trap 'rm -rf "$fresh"' EXIT
        "$initdb" --pgdata="$fresh" --username=postgres --encoding=UTF8 --locale=C --auth=reject --no-sync >&2
        mv -T "$fresh" "$template" 2>/dev/null || [ -e "$template" ]
      fi
      rm -rf "$data"
      cp -a --reflink=auto "$template" "$data"
      """
    try await Tool.run(
      account.prefix + ["sh", "-c", script, "initdb", "/var/tmp/martlet-\(account.user)", version, data, "\(programs)/initdb"],
      named: "initdb")
  }
}
