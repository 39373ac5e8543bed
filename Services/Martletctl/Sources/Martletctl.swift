package import ArgumentParser
import ServiceRuntime

/// The command line for operators.
package struct Martletctl: AsyncParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "martletctl",
    abstract: "Looks after Martlet: its database, its users and appliances, its live events.",
    discussion: """
      Addresses and credentials are variables of the environment, members of the JSON file that MARTLET_CONFIG_FILE names, or, \
      but for secrets, options. The variable of a secret with _FILE appended names a file that holds it:

      \(HelpText.table(Connections.variables, columns: 76))

      Exit status: 0 done, 1 it did not work, 64 the command line is wrong, 65 a file is wrong, 78 a setting is wrong.
      """,
    version: BuildInfo.version,
    subcommands: [
      Migrate.self, Apply.self, IssueToken.self, Tail.self, Simulate.self, LogIn.self, LogOut.self, Users.self, Appliances.self, Send.self,
      Events.self, Readings.self, Sessions.self, Revoke.self, Audit.self, Watches.self, EndWatch.self, Presence.self, Webhooks.self,
      Deliveries.self, Sensors.self, Plugins.self, Experiments.self, Latest.self, RuleCommands.self, Firings.self, Alarms.self,
      Acknowledge.self, Backtest.self,
    ])

  package init() {}
}
