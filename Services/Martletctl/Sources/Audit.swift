import ArgumentParser
import ServiceRuntime
import Store

struct Audit: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Tells what weakens security, and who did what.", subcommands: [AuditFindings.self, AuditLog.self],
    defaultSubcommand: AuditFindings.self)
}

struct AuditFindings: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "findings",
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

struct AuditLog: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "log", abstract: "Shows the audit log, newest first, for admins.",
    discussion:
      "Connections, refusals, subscriptions, commands and what became of them, and changes of accounts and settings: who, when, from where. A line with a count stands for so many."
  )

  @Option(help: ArgumentHelp("Only what this user did.", valueName: "id")) var user: String?
  @Option(help: ArgumentHelp("Only what is about this appliance, or done by it.", valueName: "id")) var appliance: String?
  @Option(help: ArgumentHelp("Only this, such as command.requested.", valueName: "action")) var action: String?
  @Option(help: ArgumentHelp("Only what ended so: done, refused or failed.", valueName: "result")) var result: String?
  @Option(help: ArgumentHelp("From this moment on, such as 2026-02-14T12:30:00Z.", valueName: "time")) var from: String?
  @Option(help: ArgumentHelp("Up to this moment.", valueName: "time")) var to: String?

  @OptionGroup var list: ListOptions

  func run() async throws {
    let query = [("user_id", user), ("appliance_id", appliance), ("action", action), ("result", result), ("from", from), ("to", to)]
    try await list.show(
      "/v1/audit", member: "entries", query: query,
      columns: [
        ("TIME", "at"), ("SERVICE", "service"), ("ACTION", "action"), ("RESULT", "result"), ("USER", "user_id"),
        ("APPLIANCE", "appliance_id"),
        ("FROM", "address"), ("COUNT", "count"), ("COMMAND", "command_id"), ("DETAIL", "detail"),
      ])
  }
}
