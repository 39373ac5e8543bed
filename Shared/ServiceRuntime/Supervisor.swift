import Glibc
import Logging
import NIOCore
import ServiceLifecycle
import Synchronization
import UnixSignals

/// Starts the admin surface, then the service's parts; ends them in the reverse order when told to, or when one of them fails.
final class Supervisor: Sendable {
  typealias Build = @Sendable (ServiceContext) async throws -> [any Service]

  private let configuration: RuntimeConfiguration
  private let context: ServiceContext
  private let runner: DeadlineRunner
  private let signals: UnixSignalsSequence
  /// The service's parts, once they run.
  private let parts = Mutex<ServiceGroup?>(nil)
  private let drain = DrainGate()

  /// After the drain's deadline parts are cancelled, and this long after that the process ends whatever they do.
  static let cancellationPeriod = Duration.seconds(3)

  init(configuration: RuntimeConfiguration, context: ServiceContext, runner: DeadlineRunner, signals: UnixSignalsSequence) {
    self.configuration = configuration
    self.context = context
    self.runner = runner
    self.signals = signals
  }

  /// Never returns: what is left running when the service has ended ends with the process.
  func run(_ build: @escaping Build) async -> Never {
    await withDiscardingTaskGroup { group in
      group.addTask { await self.runner.run() }
      group.addTask { await self.obeySignals() }
      group.addTask { await self.enforceDeadline() }
      group.addTask { exit(await self.serve(build)) }
    }
    exit(ExitStatus.failure)
  }

  /// The exit status.
  private func serve(_ build: @escaping Build) async -> Int32 {
    let (listening, listens) = AsyncStream.makeStream(of: SocketAddress?.self, bufferingPolicy: .bufferingOldest(1))
    let admin = adminGroup { listens.yield($0) }
    let failure = await withTaskGroup(of: (any Error)?.self) { group in
      group.addTask {
        let failure = await self.listen(admin)
        listens.finish()
        // Without its admin surface a service does not go on.
        await self.parts.withLock { $0 }?.triggerGracefulShutdown()
        return failure
      }
      group.addTask {
        // Nothing of the service starts before its admin surface is there to tell of it, or ends after it.
        for await address in listening {
          let failure = await self.runParts(build, adminAddress: address)
          await admin.triggerGracefulShutdown()
          return failure
        }
        return nil
      }
      return await group.reduce(nil) { $0 ?? $1 }
    }
    return conclude(failure)
  }

  /// Says how the service ended.
  private func conclude(_ failure: (any Error)?) -> Int32 {
    if drain.isOver(configuration.drainPeriod), failure == nil || failure is CancellationError {
      context.logger.warning(
        "the drain was cut at its deadline", metadata: ["drain_seconds": "\(configuration.drainPeriod / .seconds(1))"])
      return ExitStatus.failure
    }
    if let failure {
      context.logger.critical("\(failure)")
      return ExitStatus.failure
    }
    context.logger.info("stopped")
    return ExitStatus.success
  }

  private func adminGroup(onListening: @escaping @Sendable (SocketAddress?) -> Void) -> ServiceGroup {
    let application = AdminServer.application(
      configuration, metrics: context.metrics, health: context.health, logger: context.logger, onListening: onListening)
    var group = ServiceGroupConfiguration(services: [application], logger: context.logger)
    group.maximumGracefulShutdownDuration = .seconds(1)
    return ServiceGroup(configuration: group)
  }

  private func listen(_ admin: ServiceGroup) async -> (any Error)? {
    do {
      try await admin.run()
      return nil
    } catch {
      if error is CancellationError { return nil }
      return StartupError.cannotListen(
        host: configuration.adminHost, port: configuration.adminPort, variables: "MARTLET_ADMIN_HOST and MARTLET_ADMIN_PORT",
        because: error)
    }
  }

  /// Builds the parts and runs them until they have stopped. Answers what went wrong.
  private func runParts(_ build: Build, adminAddress: SocketAddress?) async -> (any Error)? {
    do {
      // Last in, first out: whatever begins the shutdown, the service is unready before any part of it stops.
      let services = try await build(context) + [ReadinessGate(health: context.health, drain: drain)]
      var configuration = ServiceGroupConfiguration(
        services: services.map {
          .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .gracefullyShutdownGroup)
        }, logger: context.logger)
      configuration.maximumGracefulShutdownDuration = self.configuration.drainPeriod
      let group = ServiceGroup(configuration: configuration)
      parts.withLock { $0 = group }
      context.logger.info(
        "started",
        metadata: [
          "version": "\(BuildInfo.version)", "admin_host": "\(adminAddress?.ipAddress ?? self.configuration.adminHost)",
          "admin_port": "\(adminAddress?.port ?? self.configuration.adminPort)",
        ])
      try await group.run()
      return nil
    } catch {
      return error
    }
  }

  private func obeySignals() async {
    var seenCount = 0
    for await signal in signals {
      seenCount += 1
      guard seenCount == 1, let group = parts.withLock({ $0 }) else {
        context.logger.warning("exiting at once", metadata: ["signal": "\(signal)"])
        exit(128 + signal.rawValue)
      }
      context.logger.info(
        "draining", metadata: ["signal": "\(signal)", "drain_seconds": "\(configuration.drainPeriod / .seconds(1))"])
      await group.triggerGracefulShutdown()
    }
  }

  private func enforceDeadline() async {
    await drain.begun()
    try? await Task.sleep(for: configuration.drainPeriod + Self.cancellationPeriod)
    guard !Task.isCancelled else { return }
    context.logger.critical("a part of the service did not stop at the drain's deadline: exiting without it")
    exit(ExitStatus.failure)
  }
}
