import FoundationEssentials
import Glibc
package import Logging
import Synchronization

/// Writes each record as one line to one descriptor, standard error in a service.
///
/// A write blocks while nobody reads the other end of a full pipe, as every line on standard error does.
package struct LineLogHandler: LogHandler {
  package var logLevel: Logger.Level
  package var metadata: Logger.Metadata = [:]
  package var metadataProvider: Logger.MetadataProvider?
  private let label: String
  private let sink: LogSink

  package init(label: String, sink: LogSink, level: Logger.Level, metadataProvider: Logger.MetadataProvider? = nil) {
    self.label = label
    self.sink = sink
    self.logLevel = level
    self.metadataProvider = metadataProvider
  }

  package subscript(metadataKey key: String) -> Logger.MetadataValue? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    var fields = metadata
    if let provided = metadataProvider?.get() { fields.merge(provided) { $1 } }
    if let own = event.metadata { fields.merge(own) { $1 } }
    sink.write(
      LogLine.Record(
        time: Int64(Date().timeIntervalSince1970 * 1000), level: event.level, service: sink.service, label: label,
        message: event.message.description,
        error: event.error.map { String(describing: $0) },
        fields: fields.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }))
  }
}

/// Where lines go. Lines of several threads never mix.
package final class LogSink: Sendable {
  let service: String
  private let format: RuntimeConfiguration.LogFormat
  private let descriptor: Mutex<CInt>

  package init(service: String, format: RuntimeConfiguration.LogFormat, descriptor: CInt = STDERR_FILENO) {
    self.service = service
    self.format = format
    self.descriptor = Mutex(descriptor)
  }

  func write(_ record: LogLine.Record) {
    let line = format == .json ? LogLine.json(record) : LogLine.plain(record)
    descriptor.withLock { _ = DescriptorOutput.write(line, to: $0) }
  }
}
