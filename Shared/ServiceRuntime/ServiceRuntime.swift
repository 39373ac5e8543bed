import FoundationEssentials
import Glibc
import Logging
import Metrics
import NIOPosix
package import ServiceLifecycle
import UnixSignals

/// One way to be a service: configuration, logs, metrics, health, and an orderly end.
///
/// ```swift
/// @main struct Main {
///   static func main() async {
///     await ServiceRuntime.run("gateway", configuration: GatewayConfiguration.self) { configuration, context in
///       try await Gateway.build(configuration, context)
///     }
///   }
/// }
/// ```
package enum ServiceRuntime {
  /// Runs the service until it is told to stop, and ends the process.
  ///
  /// The exit status is 0 after a whole drain, 78 for a configuration that cannot be used, 1 when a part fails or the drain is
  /// cut, and 128 plus the signal's number when a signal comes twice or before the service has started.
  /// - Parameters:
  ///   - name: The service's name in logs and metrics, as its executable is called.
  ///   - arguments: With the program's own name first.
  ///   - build: Puts the parts together. They are started at once and stopped one after the other from the last to the first,
  ///     so that each may use those before it to the end. A ``StartupError``, or any error whose description is a sentence,
  ///     ends the process with that sentence.
  package static func run<C: ServiceConfiguration>(
    _ name: String, configuration: C.Type, arguments: [String] = ProcessInfo.processInfo.arguments,
    environment: [String: String] = ProcessInfo.processInfo.environment,
    build: @escaping @Sendable (C, ServiceContext) async throws -> [any Service]
  ) async -> Never {
    signal(SIGPIPE, SIG_IGN)
    OpenFiles.raiseLimit()
    let variables = C.variables + RuntimeConfiguration.variables(adminPortDefault: C.adminPortDefault)
    do {
      let options = try CommandLineOptions(Array(arguments.dropFirst()), variables: variables)
      switch options.action {
      case .help: end(printing: HelpText.page(name: name, summary: C.summary, variables: variables))
      case .version: end(printing: "\(name) \(BuildInfo.version)\n")
      case .run, .check: break
      }
      let sources = try ConfigurationSources(options: options.texts, environment: environment)
      let values = ConfigurationValues(sources)
      let runtime = try RuntimeConfiguration(reading: values, adminPortDefault: C.adminPortDefault)
      let own = try C(reading: values)
      let warnings = sources.warnings(known: variables)
      if options.action == .check {
        for warning in warnings { complain("\(name): warning: \(warning)") }
        end(printing: "\(name): the configuration is valid\n")
      }
      let supervisor = await start(name, runtime, values.secretFiles, warnings: warnings)
      await supervisor.run { context in try await build(own, context) }
    } catch {
      complain("\(name): \(error)")
      exit(ExitStatus.configuration)
    }
  }

  private static func start(
    _ name: String, _ configuration: RuntimeConfiguration, _ secretFiles: SecretFiles, warnings: [String]
  ) async -> Supervisor {
    let sink = LogSink(service: name, format: configuration.logFormat)
    LoggingSystem.bootstrap { LineLogHandler(label: $0, sink: sink, level: configuration.logLevel) }
    let runner = DeadlineRunner()
    let metrics = MetricsRegistry(runner: runner)
    MetricsSystem.bootstrap(metrics)
    metrics.addCollector("process") { ProcessMetrics.samples(service: name) }
    metrics.describe(SecretFiles.metric, SecretFiles.metricHelp)
    metrics.addCollector("secrets") { secretFiles.samples() }
    let health = Health(runner: runner)
    metrics.describe(Health.metric, "1 while /readyz says 200; the checks behind it are made for each scrape.")
    metrics.addCollector("readiness") { [MetricSample(Health.metric, await health.report().isReady ? 1 : 0)] }
    let context = ServiceContext(
      name: name, logger: Logger(label: name), metrics: metrics, health: health,
      eventLoopGroup: MultiThreadedEventLoopGroup.singleton, drainPeriod: configuration.drainPeriod)
    for warning in warnings { context.logger.warning("\(warning)") }
    return Supervisor(
      configuration: configuration, context: context, runner: runner,
      signals: await UnixSignalsSequence(trapping: .sigterm, .sigint))
  }

  private static func end(printing text: String) -> Never {
    _ = DescriptorOutput.write(Array(text.utf8), to: STDOUT_FILENO)
    exit(ExitStatus.success)
  }

  /// A line on standard error before there are logs.
  private static func complain(_ sentence: String) {
    _ = DescriptorOutput.write(Array((sentence + "\n").utf8), to: STDERR_FILENO)
  }
}
