package import ProviderContract

// What the seam to providers speaks of, as the contract has it, for the rooms that know nothing of plugins.

package typealias ProviderEvent = ProviderContract.ProviderEvent
package typealias TokenUsage = ProviderContract.TokenUsage
package typealias ProviderFailure = ProviderContract.ProviderFailure
package typealias ProviderEnd = ProviderContract.ProviderEnd
package typealias PluginFault = ProviderContract.PluginFault
package typealias PluginDescription = ProviderContract.PluginDescription
package typealias ProviderDescription = ProviderContract.ProviderDescription
package typealias ToolOffer = ProviderContract.ToolOffer
package typealias FilesOffer = ProviderContract.FilesOffer
