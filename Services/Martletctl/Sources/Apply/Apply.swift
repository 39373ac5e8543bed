import ArgumentParser
import Foundation
import Models
import OutboundGate
import RedisClient
import ServiceRuntime
import Store

struct Apply: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes users, appliances, owners, shares, sensors and rules as a YAML file says.",
    discussion: """
      All of it or nothing; what changed is shown, and applied again it changes nothing. Users, appliances and rules that the file \
      does not mention stay as they are.

        users:
          - id: demo              # the `sub` of the user's tokens
            name: Demo            # the id when left out
            role: viewer          # viewer (when left out), operator or admin
            password_file: demo.password  # beside this file; the password stays as it is when left out
        appliances:
          - id: EPIC-001
            owner: demo
            name: Kitchen         # the id when left out
            dialect: epicura      # epicura when left out
            shared_with:          # all who may see it besides its owner
              - guest             # and do what guest's own role allows
              - {user: carl, role: operator}  # viewer, operator, or account (when left out)
          - id: kitchen-cam-001
            owner: demo
            dialect: signaling
            accepts_unproven: true  # whoever knows its id can pass for it while it has no secret; false when left out
          - id: LAB-1
            owner: demo
            dialect: webmacs
            sensors:              # all that it has; left out, they stay as they are
              - {id: oven-temperature, name: Oven, unit: °C}
            plugins:              # all that it has; left out, they stay as they are
              - {id: thermo, name: Thermometer, enabled: true, sensors: [oven-temperature]}
        rules:                    # as in Services/Rules/README.md
          - id: oil-too-hot
            severity: critical
            when: {metric: temperature, operator: ">", value: 200, clear: 190}
            for_seconds: 5
            actions: {alarm: true, command: {type: "cooking:stop"}}
        webhooks:
          - name: plant           # unique among the owner's
            owner: demo
            url: https://hooks.example.org/martlet
            secret_file: plant.secret  # beside this file: echo whsec_$(openssl rand -base64 32)
            event_types: [alarm.raised, alarm.cleared]  # all when left out
            appliance_ids: [EPIC-001]  # all that the owner may see when left out
            in_flight_max: 1      # 8 when left out; with 1, messages keep their order
            enabled: true         # when left out
      """)

  @Argument(help: "The file, or - for standard input.")
  var path: String

  @Flag(help: "Show what would change, and change nothing.")
  var dryRun = false

  @OptionGroup(title: "Servers") var postgres: PostgresOptions
  @OptionGroup(title: "Servers") var redis: RedisOptions
  @OptionGroup(title: "Servers") var file: ConfigFileOption

  func run() async throws {
    try await reporting {
      let wanted = try readFile()
      let passwords = try report { () throws(AccountsFileError) in try PasswordFiles(of: wanted, in: folder) }
      let values = try ConfigurationValues(postgres, redis, file)
      warn(wanted.appliances.compactMap(\.appliance.warning))
      let gate = try OutboundGate(reading: values)
      let webhooks = try report { () throws(AccountsFileError) in try DeclaredWebhooks(of: wanted, in: folder, gate: gate) }
      try await Connections.withAccounts(values) { store in
        let present = try await store.accounts()
        try report { () throws(AccountsFileError) in
          try wanted.requireUsers(among: Set(present.users.keys))
          try wanted.requireAppliances(among: Set(present.appliances.keys.map(\.rawValue)))
        }
        let rules = wanted.rules.map(\.rule)
        if dryRun {
          show(
            try await store.apply(wanted.accounts(), rules, dryRun: true) + passwords.carryOut(in: store, dryRun: true)
              + webhooks.carryOut(in: store.webhooks, dryRun: true))
        } else {
          // The announcement's way is known to be open before anything is changed.
          try await Connections.withRedis(values) { redis in
            let changes = try await store.apply(wanted.accounts(), rules, dryRun: false)
            // The accounts are there whatever becomes of the passwords, so they are announced first.
            try await announce(redis)
            let passwordChanges = try await passwords.carryOut(in: store, dryRun: false)
            let webhookChanges = try await webhooks.carryOut(in: store.webhooks, dryRun: false)
            show(changes + passwordChanges + webhookChanges)
            if !passwordChanges.isEmpty { try await announce(redis) }
          }
        }
      }
    }
  }

  private func warn(_ warnings: [String]) {
    for warning in warnings.prefix(AccountsFileError.toldMax) { Console.complain("martletctl: warning: \(warning).") }
    let more = warnings.count - AccountsFileError.toldMax
    if more > 0 { Console.complain("martletctl: warning: and \(more) more of these; `martletctl audit` lists them all.") }
  }

  private func readFile() throws -> AccountsFile {
    let bytes: [UInt8]
    do {
      bytes = try BoundedFile.read(path == "-" ? "/dev/stdin" : path, bytesMax: AccountsFile.bytesMax)
    } catch {
      throw CommandError("The file \(path) \(error.reason).")
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw CommandError("The file \(path) is not UTF-8 text.") }
    return try report { () throws(AccountsFileError) in try AccountsFile(parsing: text) }
  }

  /// Tells every mistake in the file on a line of its own.
  private func report<Value>(_ body: () throws(AccountsFileError) -> Value) throws -> Value {
    do {
      return try body()
    } catch {
      for line in error.description.split(separator: "\n") { Console.complain("martletctl: \(path): \(line)") }
      Console.complain("martletctl: nothing was changed")
      throw CommandStatus.badData
    }
  }

  /// Where the names of files in the file begin.
  private var folder: String {
    path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
  }

  private func show(_ changes: [String]) {
    for change in changes { Console.say(change) }
    let count = changes.count == 1 ? "1 change" : "\(changes.count) changes"
    Console.say(changes.isEmpty ? "nothing to change" : dryRun ? "\(count) to make" : "\(count) made")
  }

  /// Services forget what they know of users and appliances, and ask anew. Said also when nothing changed, so that applying again
  /// makes up for an announcement that was lost.
  private func announce(_ redis: RedisClient) async throws {
    do {
      _ = try await redis.send(RedisCommand("PUBLISH", Bus.changes, "{\"changed\":\"accounts\"}"))
    } catch {
      throw CommandError("The changes are made but not announced, so that services may see them late; apply again. \(error)")
    }
  }
}
