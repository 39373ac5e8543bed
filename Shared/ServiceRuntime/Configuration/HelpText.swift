/// What `--help` prints.
package enum HelpText {
  /// The page of one service.
  /// - Parameter variables: Every variable that the service reads, in the order to show them.
  package static func page(name: String, summary: String, variables: [ConfigurationVariable]) -> String {
    """
    \(name) \(BuildInfo.version): \(summary)

    Usage: \(name) [--check | --help | --version] [--<option> <value> …]

      --check    validate the configuration, say what is wrong with it, and exit with 0 or \(ExitStatus.configuration)
      --help     print this page
      --version  print the version

    A setting is a variable of the environment, a member of the JSON file that
    \(RuntimeConfiguration.configFile.name) names, or an option: MARTLET_LOG_LEVEL is --log-level.
    An option wins over the environment, and that over the file. A secret is never an
    option; the variable with _FILE appended names a file that holds it.

    \(table(variables))

    """
  }

  /// One entry for each variable: its name, its meaning, its unit and its default.
  /// - Parameter columns: Where lines are broken at the latest.
  package static func table(_ variables: [ConfigurationVariable], columns: Int = 96) -> String {
    variables.map { entry($0, columns: columns) }.joined(separator: "\n")
  }

  private static func entry(_ variable: ConfigurationVariable, columns: Int) -> String {
    let unit = variable.unit.map { ", in \($0)" } ?? ""
    let value: String
    if variable.isSecret {
      value = "a secret; or \(variable.fileName)"
    } else {
      value = variable.defaultText.map { "default \($0)" } ?? "no default"
    }
    return "  \(variable.name)\n" + wrapped("\(variable.meaning)\(unit) (\(value))", indent: 6, columns: columns)
  }

  private static func wrapped(_ text: String, indent: Int, columns: Int) -> String {
    let margin = String(repeating: " ", count: indent)
    var lines: [String] = []
    var line = margin
    for word in text.split(separator: " ") {
      if line.count + word.count + 1 > columns, line != margin {
        lines.append(line)
        line = margin
      }
      line += line == margin ? String(word) : " " + word
    }
    return (lines + [line]).joined(separator: "\n")
  }
}
