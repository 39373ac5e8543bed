import ArgumentParser
import LocalStack

/// The local stack from the command line.
@main struct LocalStackProgram: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "localstack", abstract: "Runs Martlet whole on this machine: PostgreSQL, Redis, Mosquitto, nginx and the services.",
    subcommands: [Demo.self, Up.self, Down.self, Run.self])

  struct Options: ParsableArguments {
    @Option(help: "The folder for data, logs and secrets.") var folder = ".local"
    @Option(help: "How many gateway replicas serve behind nginx, 1 to 16.") var gateways = 2
    @Option(help: "How many signaling brokers serve behind nginx, 1 to 16.") var signaling = 1
    @Option(help: "Start just this server (postgres, redis, mosquitto; may be repeated) and no service.") var only: [String] = []

    func session() throws -> StackSession { try StackSession(folder: folder, gateways: gateways, signaling: signaling, only: only) }
  }

  struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Starts all, simulates a cooker, follows its events until Ctrl-C.")
    @OptionGroup var options: Options
    func run() async throws { try await options.session().demo() }
  }

  struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Starts all in the background; stack.json in the folder has the addresses.")
    @OptionGroup var options: Options
    func run() async throws { try await options.session().up() }
  }

  struct Down: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Stops what `up` started; the data stays.")
    @OptionGroup var options: Options
    func run() async throws { try await options.session().down() }
  }

  struct Run: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Starts all in the foreground, until Ctrl-C or SIGTERM.")
    @OptionGroup var options: Options
    func run() async throws { try await options.session().run() }
  }
}
