/// What a service's command line asks for.
package struct CommandLineOptions: Sendable, Equatable {
  package enum Action: Sendable, Equatable { case run, check, help, version }

  package var action = Action.run
  /// Texts by variable name.
  package var texts: [String: String] = [:]

  /// Understands `--help`, `--version`, `--check`, and `--<name> <text>` or `--<name>=<text>` for every variable but secrets.
  /// - Parameter arguments: Without the program's own name.
  package init(_ arguments: [String], variables: [ConfigurationVariable]) throws(ConfigurationError) {
    var secrets: [String: ConfigurationVariable] = [:]
    var names: [String: String] = [:]
    for variable in variables {
      if variable.isSecret { secrets[ConfigurationVariable.option(for: variable.name)] = variable }
      let name = variable.isSecret ? variable.fileName : variable.name
      names[ConfigurationVariable.option(for: name)] = name
    }
    var rest = arguments[...]
    while let argument = rest.popFirst() {
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let option = String(parts[0])
      switch option {
      case "--help", "-h": action = .help
      case "--version": action = .version
      case "--check": action = action == .run ? .check : action
      default:
        if let secret = secrets[option] { throw Self.refused(secret, option) }
        guard let name = names[option] else { throw Self.unknown(option, among: names.keys) }
        guard let text = parts.count == 2 ? String(parts[1]) : rest.popFirst() else {
          throw ConfigurationError(code: .unknownOption, subject: option, description: "\(option) wants a value after it.")
        }
        texts[name] = text
      }
    }
  }

  private static func refused(_ secret: ConfigurationVariable, _ option: String) -> ConfigurationError {
    ConfigurationError(
      code: .unknownOption, subject: option,
      description: "\(option) is not taken from the command line, where every user of this machine could read it: "
        + "use \(secret.name) or \(secret.fileName).")
  }

  private static func unknown(_ option: String, among known: some Sequence<String>) -> ConfigurationError {
    let all = Array(known) + ["--help", "--version", "--check"]
    let hint = NearestName.find(option, in: all).map { ": did you mean \($0)?" } ?? ": --help lists the options."
    return ConfigurationError(
      code: .unknownOption, subject: option, description: "\(option.prefix(120)) is not an option\(hint)")
  }
}
