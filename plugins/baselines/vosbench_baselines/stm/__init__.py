"""STM: space-time memory networks (Oh, Lee, Xu and Kim, ICCV 2019)."""
