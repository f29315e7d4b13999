"""Young et al., The True Cost of Containing: A gVisor Case Study, HotCloud 2019."""
