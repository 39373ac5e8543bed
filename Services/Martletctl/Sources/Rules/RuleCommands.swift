import ArgumentParser
import Models
import NIOHTTP1
import RuleEvaluation
import ServiceRuntime

struct RuleCommands: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rules", abstract: "Lists rules, shows one, adds, replaces, checks or removes one; for admins.",
    discussion: "A rule is a JSON object; Services/Rules/README.md tells its members, and `martletctl apply` takes many.",
    subcommands: [List.self, Show.self, Put.self, Check.self, Delete.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Lists the rules.")

    @OptionGroup var list: ListOptions

    func run() async throws {
      try await list.show(
        "/v1/rules", member: "rules",
        columns: [
          ("ID", "id"), ("NAME", "name"), ("SEVERITY", "severity"), ("ENABLED", "enabled"), ("APPLIANCES", "appliances"), ("WHEN", "when"),
        ])
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Shows a rule as JSON.")

    @Argument(help: "The rule's id.") var rule: String
    @OptionGroup(title: "The API") var api: APIOptions

    func run() async throws {
      try await reporting {
        let rule = try await api.client().get("/v1/rules/\(APIClient.escaped(rule))")
        _ = Console.write(EventLine.line(rule.bytes, .json))
      }
    }
  }

  struct Put: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Adds a rule, or replaces the one of its id.")

    @Argument(help: "The file with the rule's JSON, or - for standard input.") var path: String
    @OptionGroup(title: "The API") var api: APIOptions

    func run() async throws {
      try await reporting {
        let rule = try RuleFile.read(path)
        _ = try await api.client().send(
          .PUT, "/v1/rules/\(APIClient.escaped(rule.id))", body: rule.definition)
        Console.say("rule \(rule.id) counts from now on")
      }
    }
  }

  struct Check: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Tells whether a rule would be taken; nothing is stored.")

    @Argument(help: "The file with the rule's JSON, or - for standard input.") var path: String
    @OptionGroup(title: "The API") var api: APIOptions

    func run() async throws {
      try await reporting {
        let rule = try RuleFile.read(path)
        _ = try await api.client().send(.POST, "/v1/rules/validate", body: rule.definition)
        Console.say("rule \(rule.id) is well")
      }
    }
  }

  struct Delete: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Removes a rule; what it had raised is cleared.")

    @Argument(help: "The rule's id.") var rule: String
    @OptionGroup(title: "The API") var api: APIOptions

    func run() async throws {
      try await reporting {
        _ = try await api.client().send(.DELETE, "/v1/rules/\(APIClient.escaped(rule))")
        Console.say("rule \(EventLine.visible(rule)) is removed")
      }
    }
  }
}

/// A rule in a file of its own.
enum RuleFile {
  /// - Throws: `ExitCode` 65 after a sentence that names the member.
  static func read(_ path: String) throws -> Rule {
    let bytes: [UInt8]
    do {
      bytes = try BoundedFile.read(path == "-" ? "/dev/stdin" : path, bytesMax: Rule.definitionBytesMax)
    } catch {
      throw CommandError("The file \(path) \(error.reason).")
    }
    do throws(RuleError) {
      return try Rule(parsing: bytes)
    } catch {
      Console.complain("martletctl: \(path): \(error)")
      throw CommandStatus.badData
    }
  }
}
