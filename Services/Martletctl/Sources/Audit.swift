import ArgumentParser
import ServiceRuntime
import Store

struct Audit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists what weakens security, the gravest first.",
    discussion: """
      unproven_camera: a camera without a secret that is registered with accepts_unproven. Whoever knows its id can pass for it.
      no_secret: an appliance that connects by itself and has no secret. It comes in with a token made for it, or not at all.
      admin: a user who sees and commands every appliance.

      A secret is made with POST /api/v1/appliances/{appliance_id}/secret.
      """)

  @OptionGroup var limit: LimitOption
  @Flag(help: "Show JSON, one object a line.") var json = false
  @OptionGroup(title: "Servers") var postgres: PostgresOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func run() async throws {
    try await reporting {
      let found = try await Connections.withAccounts(try ConfigurationValues(postgres, file)) { store in
        try await store.findings(limit: limit.limit + 1)
      }
      let shown = found.prefix(limit.limit)
      if json {
        for finding in shown {
          let members = [("finding", finding.kind.rawValue), ("subject", finding.subject)]
          guard Console.write(JSONText.object(members + (finding.ownerID.map { [("owner_id", $0)] } ?? [])) + [0x0A]) else { return }
        }
      } else if shown.isEmpty {
        Console.say("nothing was found")
      } else {
        var table = Table(["FINDING", "SUBJECT", "OWNER"])
        for finding in shown { table.add([finding.kind.rawValue, finding.subject, finding.ownerID ?? ""]) }
        for line in table.lines where !Console.say(line) { return }
      }
      if found.count > shown.count { Console.complain("martletctl: there is more: raise --limit") }
    }
  }
}
