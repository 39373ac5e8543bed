/// What is said first on every connection, and what the answers mean: pure.
///
/// `AUTH` where there is a password, `SELECT` where a database is named, `CLIENT SETNAME` (whose refusal matters to nobody), and a `PING` that
/// shows whether the server wants a password or is still loading.
struct Handshake {
  private enum Step { case authenticate, select, name, ping }

  let commands: [RedisCommand]
  private var steps: ArraySlice<Step>
  private let configuration: RedisConfiguration

  init(_ configuration: RedisConfiguration) {
    self.configuration = configuration
    var steps: [Step] = []
    var commands: [RedisCommand] = []
    if let password = configuration.readPassword?() {
      steps.append(.authenticate)
      commands.append(configuration.user.map { RedisCommand("AUTH", $0, password) } ?? RedisCommand("AUTH", password))
    }
    if configuration.database != 0 {
      steps.append(.select)
      commands.append(RedisCommand("SELECT", configuration.database))
    }
    if let name = configuration.clientName {
      steps.append(.name)
      commands.append(RedisCommand("CLIENT", "SETNAME", name))
    }
    steps.append(.ping)
    commands.append(RedisCommand("PING"))
    self.steps = steps[...]
    self.commands = commands
  }

  /// True when the connection is ready for use.
  mutating func received(_ reply: RESPValue) throws(RedisError) -> Bool {
    guard let step = steps.popFirst() else {
      throw RedisError(.protocolViolation, "Redis at \(configuration.address) sent a reply that nobody asked for")
    }
    if case .error(let error) = reply, step != .name { throw refusal(at: step, error) }
    return steps.isEmpty
  }

  private func refusal(at step: Step, _ error: RedisError) -> RedisError {
    let address = configuration.address
    switch (step, error.code) {
    case (.authenticate, .server("LOADING")), (.authenticate, .server("MASTERDOWN")): break
    // Never the server's own words here: an unknown command is quoted with its arguments.
    case (.authenticate, _):
      let user = configuration.user ?? "default"
      return RedisError(
        .authentication, "Redis at \(address) refused the user “\(user)” or its password; check both, and the server's ACL (ACL LIST)")
    case (_, .authentication):
      return RedisError(.authentication, "Redis at \(address) wants a password; give a user and a password in the Redis URL")
    case (.select, _):
      return RedisError(error.code, "Redis at \(address) refused database \(configuration.database): \(error.message)")
    default: break
    }
    return RedisError(error.code, "Redis at \(address) is not ready: \(error.message)")
  }
}
