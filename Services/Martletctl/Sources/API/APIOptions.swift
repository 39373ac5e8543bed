import ArgumentParser
import ServiceRuntime

/// What every command that speaks to the API takes.
struct APIOptions: VariableOptions {
  @Option(help: ArgumentHelp("Stands for MARTLET_API_URL.", valueName: "url"))
  var apiURL: String?

  @Flag(help: "Show JSON, one object a line.")
  var json = false

  @OptionGroup var file: ConfigFileOption

  var texts: [String: String?] { [ConfigurationVariable.apiURL.name: apiURL] }

  func client(isLoggingIn: Bool = false) throws -> APIClient {
    try APIClient(ConfigurationValues(self, file), isLoggingIn: isLoggingIn)
  }
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

/// What every command takes that shows a list of the API.
struct ListOptions: ParsableArguments {
  @OptionGroup var limit: LimitOption
  @OptionGroup(title: "The API") var api: APIOptions

  /// Shows what there is at `path`, of which each page has the items as `member`.
  func show(
    _ path: String, member: String, query: [(String, String?)] = [], columns: [(title: String, path: String)]
  ) async throws {
    try await reporting {
      try await Listing(path: path, member: member, query: query, limit: limit.limit).show(api.client(), json: api.json, columns: columns)
    }
  }
}
