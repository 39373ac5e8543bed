import ArgumentParser
import ServiceRuntime

/// What every command that speaks to the API takes.
struct APIOptions: VariableOptions {
  @Option(help: ArgumentHelp("Stands for MARTLET_API_URL.", valueName: "url"))
  var apiURL: String?

  @Flag(help: "Show JSON, one object a line.")
  var json = false

  var texts: [String: String?] { [ConfigurationVariable.apiURL.name: apiURL] }
}

/// How much of a list is wanted.
struct LimitOption: ParsableArguments {
  static let limitMax = 1_000_000

  @Option(help: "The most items, up to a million.")
  var limit = 100

  func validate() throws {
    guard (1...Self.limitMax).contains(limit) else {
      throw ValidationError("--limit is \(limit): give a number from 1 to \(Self.limitMax).")
    }
  }
}
