// The provider's logic.
